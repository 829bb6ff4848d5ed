//! Long-term keys of this account and device.

/// Our keys.
#[derive(Debug)]
pub struct Own {}
