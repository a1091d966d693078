from ssl import *
