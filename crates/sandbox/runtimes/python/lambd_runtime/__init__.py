"""Lambda runtime interface client: fetches events from the Runtime API and answers them."""
