"""Templates of mails: ``templates/NAME.mjml`` or ``NAME.html`` of a project, and ``NAME.txt`` next to it."""
