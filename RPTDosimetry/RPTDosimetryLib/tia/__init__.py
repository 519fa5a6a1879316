"""Time-integrated activity: kinetic models, fits of curves, and maps voxel by voxel."""
