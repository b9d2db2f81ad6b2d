//! Who a node is.

pub mod account;
pub mod account_change;
