"""Components and HTML that several tabs use."""
