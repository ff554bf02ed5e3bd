-- ---------------------------------------------------------------------
-- The install script fails unless the vendors that come with zcsync fit the contract.
-- ---------------------------------------------------------------------

DO $$
BEGIN
	PERFORM zcsync._check_vendor(v) FROM zcsync._vendors() AS v;
END
$$;
