//! Tests that drive devices.
