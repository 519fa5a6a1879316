"""What a dose map says about volumes: organ table, dose-volume histograms."""
