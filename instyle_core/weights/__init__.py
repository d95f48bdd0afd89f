"""Files of weights: shipped, cached, downloaded, verified."""
