//! Tokens: 32 random bytes, shown once, kept as their BLAKE3 hash.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use headend_model::{Timestamp, UserName};
use headend_store::{Projection, RackRow, Store, StoreError, TokenRow};
use rand::TryRng;
use subtle::ConstantTimeEq;

use super::{Person, Principal, Rack};

/// A token as it is handed out. It has no `Debug`, so that it cannot slip into a log.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A new one. The prefix lets secret scanners find it.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub(crate) fn new(kind: &str) -> std::io::Result<Self> {
        let mut bytes = [0_u8; 32];
        rand::rngs::SysRng.try_fill_bytes(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Self(format!("headend_{kind}_{}", hex::encode(bytes))))
    }

    /// One that was read from somewhere.
    pub(crate) fn from_text(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub(crate) fn hash(&self) -> String {
        blake3::hash(self.0.as_bytes()).to_hex().to_string()
    }
}

/// By what a token is called in lists: the first digits of its hash.
pub(crate) fn public_id(hash: &str) -> String {
    hash.chars().take(12).collect()
}

struct Entry {
    principal: Principal,
    expires: Option<Timestamp>,
}

/// All tokens that are valid now. The store has the same.
pub(crate) struct Tokens {
    store: Store,
    by_hash: RwLock<HashMap<String, Entry>>,
}

impl Tokens {
    /// Reads all tokens.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn load(store: Store) -> Result<Self, StoreError> {
        let people = store.tokens().await?.into_iter().map(|row| (row.hash.clone(), person_entry(&row)));
        let racks = store.racks().await?.into_iter().map(|row| (row.token_hash.clone(), rack_entry(&row)));
        let by_hash = people.chain(racks).collect();
        Ok(Self { store, by_hash: RwLock::new(by_hash) })
    }

    /// Whom a token stands for.
    ///
    /// The look-up goes by hash, so its timing tells nothing about the token; the comparison is constant in time.
    pub(crate) fn principal(&self, token: &Secret, now: Timestamp) -> Option<Principal> {
        let hash = token.hash();
        let entries = self.by_hash.read().unwrap_or_else(PoisonError::into_inner);
        let (known, entry) = entries.get_key_value(&hash)?;
        let equal: bool = known.as_bytes().ct_eq(hash.as_bytes()).into();
        let valid = entry.expires.is_none_or(|expires| now < expires);
        (equal && valid).then(|| entry.principal.clone())
    }

    /// Makes a token valid.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub(crate) async fn add(&self, row: TokenRow) -> Result<(), StoreError> {
        let (hash, entry) = (row.hash.clone(), person_entry(&row));
        self.store.write(vec![Projection::Token(row)]).await?;
        self.insert(hash, entry);
        Ok(())
    }

    /// Makes a person's token void: from now on first, for ever then.
    ///
    /// # Errors
    /// When that cannot be stored: then it is void until the next start only.
    pub(crate) async fn revoke(&self, hash: &str) -> Result<(), StoreError> {
        self.by_hash.write().unwrap_or_else(PoisonError::into_inner).remove(hash);
        self.store.write(vec![Projection::TokenRemoved { hash: hash.to_owned() }]).await.map(drop)
    }

    /// Gives a rack its token; a former one is void from now on.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub(crate) async fn add_rack(&self, token: &Secret, rack: &Rack, now: Timestamp) -> Result<(), StoreError> {
        let row = RackRow { rack: rack.rack, name: rack.name.clone(), token_hash: token.hash(), enrolled: now };
        let entry = rack_entry(&row);
        self.store.write(vec![Projection::Rack(row)]).await?;
        let mut entries = self.by_hash.write().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, old| !matches!(&old.principal, Principal::Rack(old) if old.rack == rack.rack));
        entries.insert(token.hash(), entry);
        Ok(())
    }

    /// Makes a one-use token for a rack.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub(crate) async fn add_enrol(&self, token: &Secret, expires: Timestamp) -> Result<(), StoreError> {
        self.store.write(vec![Projection::EnrolToken { hash: token.hash(), expires }]).await?;
        Ok(())
    }

    fn insert(&self, hash: String, entry: Entry) {
        self.by_hash.write().unwrap_or_else(PoisonError::into_inner).insert(hash, entry);
    }
}

fn person_entry(row: &TokenRow) -> Entry {
    let admin = row.role == "admin";
    let person = Person { user: row.user.clone(), admin, act_as: admin || row.act_as, token: Some(row.hash.clone()) };
    Entry { principal: Principal::Person(person), expires: row.expires }
}

fn rack_entry(row: &RackRow) -> Entry {
    Entry { principal: Principal::Rack(Rack { rack: row.rack, name: row.name.clone() }), expires: None }
}

/// The name under which the administrator's token of the first start acts.
pub(crate) fn admin_name() -> Result<UserName, headend_model::BadName> {
    UserName::new("admin")
}
