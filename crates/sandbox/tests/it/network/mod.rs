//! The network of environments, from inside and from outside, in a world of network namespaces: nothing of the
//! network of the machine that runs the tests is touched.

mod firewall;
mod leftovers;
mod services;
pub(crate) mod world;
