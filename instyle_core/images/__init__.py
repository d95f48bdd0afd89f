"""Pictures and masks: from files to tensors and back."""
