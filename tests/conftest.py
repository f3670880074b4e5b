"""All tests run with ISE registered at PaddleClas."""
import ppcls_ise

ppcls_ise.register()
