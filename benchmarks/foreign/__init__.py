"""Cases run by other environments' interpreters; never imported by ours."""
