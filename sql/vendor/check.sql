-- ---------------------------------------------------------------------
-- The vendors that come with zcsync keep to the contract, or it is not
-- installed.
-- ---------------------------------------------------------------------

DO $$
BEGIN
	PERFORM zcsync._check_vendor(v) FROM zcsync._vendors() AS v;
END
$$;
