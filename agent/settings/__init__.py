"""Texts become Settings, or every problem at once; and what the settings ask of the stages."""
