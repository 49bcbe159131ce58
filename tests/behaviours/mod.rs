//! How an API server answers the product's requests, asked of the real one and of the embedded one alike.

pub mod rest;
