//! Room for files as flags.

use headend_server::Quotas;

/// What areas of files may hold.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct QuotaArgs {
    /// Most bytes of each user's own area, newest revision alone: 500MiB, 20GiB; 0: no bound.
    #[arg(long, value_name = "SIZE", default_value = "20GiB", value_parser = size)]
    private_quota: u64,
    /// Most bytes of the public area, newest revision alone; 0: no bound.
    #[arg(long, value_name = "SIZE", default_value = "100GiB", value_parser = size)]
    public_quota: u64,
}

impl QuotaArgs {
    pub(crate) fn quotas(self) -> Quotas {
        let bound = |bytes: u64| (bytes > 0).then_some(bytes);
        Quotas { private: bound(self.private_quota), public: bound(self.public_quota) }
    }
}

/// Bytes, with a unit of powers of 1024: `500MiB`, `500M`, `1048576`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let remedy = || "write a whole number with or without KiB, MiB, GiB or TiB: 500MiB, 20GiB; 0: no bound".to_owned();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "t" | "tib" => 40,
        _ => return Err(remedy()),
    };
    let number: u64 = digits.parse().map_err(|_| remedy())?;
    number.checked_mul(1 << shift).ok_or_else(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        for (text, bytes) in
            [("0", 0), ("17", 17), ("2KiB", 2048), ("500 MiB", 500 << 20), ("20g", 20 << 30), ("1TiB", 1 << 40)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "GiB", "-1", "1.5GiB", "1GB", "20 zib", "99999999999TiB", "18446744073709551616"] {
            assert!(size(bad).is_err(), "{bad} was taken");
        }
    }
}
