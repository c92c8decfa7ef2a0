//! Cuts a document into its rows without reading them, so that a broken row loses only itself.
