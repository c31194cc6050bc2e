//! The relay over real sockets, read byte by byte.

mod dialects;
mod faults;
mod limits;
mod moods;
mod service;
mod wire;
mod zones;
