//! The relay over real sockets, read byte by byte.

mod dialects;
mod faults;
mod guards;
mod limits;
mod moods;
mod service;
mod wire;
mod zones;
