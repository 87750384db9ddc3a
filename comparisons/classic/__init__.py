"""Classic experiments on why multilingual encoders work, small and from scratch."""
