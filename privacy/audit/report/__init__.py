"""The auditor's report for people: one HTML page, English and Chinese. Needs the extra [node]."""
