"""Shotgun metagenomes of faecal microbiota transplantation trials."""
