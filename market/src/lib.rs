//! The business: intake, placement, settlement; pure rules and the use cases around them.
