//! Keys of a remote control.

/// The common keys by name. A key that is not here is pressed by its text: `slot.press("Services")`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "plain names")]
pub enum Key {
    Power,
    Menu,
    Up,
    Down,
    Left,
    Right,
    Ok,
    Exit,
    Back,
    Home,
    Guide,
    Info,
    Help,
    ChannelUp,
    ChannelDown,
    VolumeUp,
    VolumeDown,
    Mute,
    Play,
    Pause,
    Stop,
    Record,
    Rewind,
    FastForward,
    Red,
    Green,
    Yellow,
    Blue,
    Text,
    Zero,
    One,
    Two,
    Three,
    Four,
    Five,
    Six,
    Seven,
    Eight,
    Nine,
}

impl Key {
    /// The key's name in the infrared database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Power => "Power",
            Self::Menu => "Menu",
            Self::Up => "Up",
            Self::Down => "Down",
            Self::Left => "Left",
            Self::Right => "Right",
            Self::Ok => "Ok",
            Self::Exit => "Exit",
            Self::Back => "Back",
            Self::Home => "Home",
            Self::Guide => "TV_Guide",
            Self::Info => "Info",
            Self::Help => "Help",
            Self::ChannelUp => "Channel+",
            Self::ChannelDown => "Channel-",
            Self::VolumeUp => "Vol+",
            Self::VolumeDown => "Vol-",
            Self::Mute => "Mute",
            Self::Play => "Play",
            Self::Pause => "Pause",
            Self::Stop => "Stop",
            Self::Record => "Record",
            Self::Rewind => "Rew",
            Self::FastForward => "FFwd",
            Self::Red => "Red",
            Self::Green => "Green",
            Self::Yellow => "Yellow",
            Self::Blue => "Blue",
            Self::Text => "Text",
            Self::Zero => "0",
            Self::One => "1",
            Self::Two => "2",
            Self::Three => "3",
            Self::Four => "4",
            Self::Five => "5",
            Self::Six => "6",
            Self::Seven => "7",
            Self::Eight => "8",
            Self::Nine => "9",
        }
    }
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        self.name()
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
