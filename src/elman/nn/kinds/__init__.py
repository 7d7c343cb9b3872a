"""The built-in kinds of recurrent layers, one a module: each makes the `KIND` that `elman.nn.registry` names."""
