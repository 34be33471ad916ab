"""The pages of the site: each module turns the records of its page into files by their path in the site."""
