-- how many seconds after p_began, in seconds since 1970, the query first gives a row
CREATE FUNCTION seconds_until(p_query text, p_began numeric, p_longest numeric) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	v_found boolean;
BEGIN
	LOOP
		EXECUTE format('SELECT EXISTS (%s)', p_query) INTO v_found;
		IF v_found THEN
			RETURN extract(epoch FROM clock_timestamp()) - p_began;
		ELSIF extract(epoch FROM clock_timestamp()) - p_began > p_longest THEN
			RAISE EXCEPTION 'not within % s: %', p_longest, p_query;
		END IF;
		PERFORM pg_sleep(0.005);
	END LOOP;
END
$$;
