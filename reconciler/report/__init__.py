"""Turns plans and reports into text, JSON, YAML and Markdown. Pure but for the terminal it draws on."""
