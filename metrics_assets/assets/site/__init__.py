"""The site: what each page reads from the warehouse as of a day, and the asset that builds all of them."""
