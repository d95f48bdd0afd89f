"""What a run writes beside its picture, and how an interrupted run is resumed."""
