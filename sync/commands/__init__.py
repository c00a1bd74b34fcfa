"""What each command does, once its options are read; imported only when one runs."""
