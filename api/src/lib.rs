//! HTTP and GraphQL at the edge; the leadyard binary and its command line.
