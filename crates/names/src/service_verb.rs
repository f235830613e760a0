//! Verbs of the steps that change a service.

/// `start`, `stop`, `restart`, `enable` or `disable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceVerb {
    /// Starts the service; refused if it is disabled.
    Start,
    Stop,
    /// Stops the service, then starts it.
    Restart,
    /// Allows the service to be started.
    Enable,
    /// Prevents the service from being started; a running one is not stopped.
    Disable,
}

impl ServiceVerb {
    /// Returns the action's name in a manifest.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Enable => "enable",
            Self::Disable => "disable",
        }
    }
}
