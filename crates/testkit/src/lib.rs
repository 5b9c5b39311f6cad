//! What tests need: fakes of the engine's ports, and the contracts that fakes and real ones keep alike.
//!
//! Never here: anything that the product links.

pub mod clock;
pub mod contracts;
pub mod courier;
pub mod dice;
pub mod events;
pub mod faulty;
pub mod house;
pub mod images;
pub mod layers;
pub mod mappings;
pub mod moto;
pub mod objects;
pub mod packages;
pub mod pauses;
pub mod queues;
pub mod records;
pub mod sandbox;
pub mod sim;
pub mod skip;
pub mod telemetry;
