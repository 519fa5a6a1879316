"""Organs and lesions as masks on the dose grid."""
