//! Who a node is.

pub mod account;
