"""The Trust's console: tables for the command line, and the pages of ``flip-trust console``."""
