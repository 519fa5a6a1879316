"""Every time point and the CT on one grid."""
