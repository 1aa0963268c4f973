"""Shape, intensity and location of each microbleed."""
