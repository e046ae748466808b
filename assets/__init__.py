"""What is made from the loaded tables: SQL models in schema ``analytics``, and the assets that show it all."""
