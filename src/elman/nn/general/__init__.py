"""The general recurrence in the layer: what it has beside torch's terms; how it runs with the user's own f."""
