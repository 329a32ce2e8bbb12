"""Does a result still mean what its tables say?"""
