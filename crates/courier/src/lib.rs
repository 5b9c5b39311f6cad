//! (room: courier)
