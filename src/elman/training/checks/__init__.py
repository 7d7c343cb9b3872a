"""What is looked at before a run is trusted: ranges of settings, sizes of models, the data it was trained on."""
