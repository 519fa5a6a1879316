"""From a PET before therapy to the dose map to come: predictions, always marked as such."""
