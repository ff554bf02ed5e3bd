-- ---------------------------------------------------------------------
-- The report: one page of HTML that needs nothing else, no script, no font, no
-- image of another server.
--
-- Its numbers are those of the views that doc/report.md names.  It shows names of
-- accounts, kinds and sources, references and times, all through _html().  It shows
-- no text of a record, and no message of a vendor, which may quote one.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._html(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT replace(replace(replace(replace(replace(regexp_replace(p_text, '[[:cntrl:]]', ' ', 'g'),
		'&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;');
END;
COMMENT ON FUNCTION zcsync._html(text) IS
'a text as it stands in HTML, also within quoted attributes';

-- 850 ms, 2.1 s, 3 min; a dash where nothing was counted.
CREATE FUNCTION zcsync._ms_text(p_ms numeric) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_ms IS NULL THEN '–' WHEN p_ms < 1000 THEN round(p_ms) || ' ms' WHEN p_ms < 10000 THEN round(p_ms / 1000, 1) || ' s'
		ELSE zcsync._span(make_interval(secs => (p_ms / 1000)::float8)) END;
END;
COMMENT ON FUNCTION zcsync._ms_text(numeric) IS
'a duration in milliseconds for people';

CREATE FUNCTION zcsync._count_text(p_count numeric) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(trim(to_char(p_count, '999,999,999,999,990')), '–');
END;
COMMENT ON FUNCTION zcsync._count_text(numeric) IS
'a whole number for people, with commas';

-- ---------------------------------------------------------------------
-- Parts of a page
-- ---------------------------------------------------------------------

-- Cells are escaped here.  Columns in p_right are numbers; p_code are statements.
CREATE FUNCTION zcsync._html_table(p_heads text[], p_rows jsonb, p_right integer[], p_code integer[], p_none text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN coalesce(jsonb_array_length(p_rows), 0) = 0 THEN format('<p class="none">%s</p>', zcsync._html(p_none))
		ELSE format('<div class="wide"><table><thead><tr>%s</tr></thead><tbody>%s</tbody></table></div>',
			(SELECT string_agg(format('<th%s>%s</th>', CASE WHEN h.n = ANY (p_right) THEN ' class="n"' END, zcsync._html(h.head)), '' ORDER BY h.n)
			FROM unnest(p_heads) WITH ORDINALITY AS h (head, n)),
			(SELECT string_agg('<tr>' || (
				SELECT string_agg(format(CASE WHEN c.n = ANY (p_code) AND c.cell <> '' THEN '<td class="c"%s><code>%s</code></td>' ELSE '<td%s>%s</td>' END,
					CASE WHEN c.n = ANY (p_right) THEN ' class="n"' END, zcsync._html(coalesce(c.cell, ''))), '' ORDER BY c.n)
				FROM jsonb_array_elements_text(r.cells) WITH ORDINALITY AS c (cell, n)) || '</tr>', '' ORDER BY r.n)
			FROM jsonb_array_elements(p_rows) WITH ORDINALITY AS r (cells, n))) END;
END;
COMMENT ON FUNCTION zcsync._html_table(text[], jsonb, integer[], integer[], text) IS
'rows (arrays of texts) as a table of HTML; a sentence where there are none';

-- Where values of a plot lie, 0 at the bottom: 600 wide, 160 high, the plot between
-- 52 and 590, 12 and 132.
CREATE FUNCTION zcsync._svg(p_title text, p_days date[], p_top text, p_middle text, p_body text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('<svg viewBox="0 0 600 160" role="img" aria-label="%1$s"><title>%1$s</title>'
			'<path class="grid" d="M52 12H590M52 72H590M52 132H590"/>'
			'<text x="46" y="16" class="e">%2$s</text><text x="46" y="76" class="e">%3$s</text><text x="46" y="136" class="e">0</text>'
			'<text x="52" y="152">%4$s</text><text x="590" y="152" class="e">%5$s</text>%6$s</svg>',
		zcsync._html(p_title), zcsync._html(p_top), zcsync._html(p_middle), p_days[1], p_days[cardinality(p_days)], p_body);
END;
COMMENT ON FUNCTION zcsync._svg(text, date[], text, text, text) IS
'a plot over days with its axes; what is drawn in it is made by zcsync';

-- A line and its points for each array of values; days without a value have none.
CREATE FUNCTION zcsync._svg_lines(p_title text, p_days date[], p_one numeric[], p_two numeric[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._svg(p_title, p_days, zcsync._ms_text(m.top), zcsync._ms_text(m.top / 2), (
		SELECT string_agg(format('<polyline class="s%s" points="%s"/>%s', l.n, l.points, l.dots), '' ORDER BY l.n)
		FROM (
			SELECT s.n, string_agg(format('%s,%s', x.x, x.y), ' ' ORDER BY v.i) AS points,
				string_agg(format('<circle class="d%s" cx="%s" cy="%s" r="2.5"/>', s.n, x.x, x.y), '' ORDER BY v.i) AS dots
			FROM (SELECT 1 AS n, p_one AS vals UNION ALL SELECT 2, p_two) AS s
			CROSS JOIN LATERAL unnest(s.vals) WITH ORDINALITY AS v (value, i)
			CROSS JOIN LATERAL (
				SELECT round(52 + 538 * (v.i - 0.5) / cardinality(p_days), 1) AS x, round(132 - 120 * v.value / m.top, 1) AS y) AS x
			WHERE v.value IS NOT NULL
			GROUP BY s.n) AS l))
	FROM (SELECT greatest(max(v.value), 1) AS top FROM unnest(p_one || p_two) AS v (value)) AS m;
END;
COMMENT ON FUNCTION zcsync._svg_lines(text, date[], numeric[], numeric[]) IS
'two lines of milliseconds over days';

CREATE FUNCTION zcsync._svg_bars(p_title text, p_days date[], p_done numeric[], p_failed numeric[]) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._svg(p_title, p_days, zcsync._count_text(m.top), zcsync._count_text(m.top / 2), (
		SELECT string_agg(format('<rect class="b1" x="%1$s" y="%2$s" width="%3$s" height="%4$s"/><rect class="b2" x="%1$s" y="%5$s" width="%3$s" height="%6$s"/>',
			round(52 + w.w * (v.i - 0.9), 1), round(132 - h.done, 1), round(w.w * 0.8, 1), round(h.done, 1),
			round(132 - h.done - h.failed, 1), round(h.failed, 1)), '' ORDER BY v.i)
		FROM unnest(p_done, p_failed) WITH ORDINALITY AS v (done, failed, i)
		CROSS JOIN (SELECT 538.0 / cardinality(p_days) AS w) AS w
		CROSS JOIN LATERAL (SELECT 120 * coalesce(v.done, 0) / m.top AS done, 120 * coalesce(v.failed, 0) / m.top AS failed) AS h))
	FROM (SELECT greatest(max(coalesce(v.done, 0) + coalesce(v.failed, 0)), 2) AS top FROM unnest(p_done, p_failed) AS v (done, failed)) AS m;
END;
COMMENT ON FUNCTION zcsync._svg_bars(text, date[], numeric[], numeric[]) IS
'bars over days: what was done, and above it what failed';

CREATE FUNCTION zcsync._report_style() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ':root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#57606a;--line:#d0d7de;--one:#0b6bcb;--two:#b54708;--bad:#c4321d;--card:#f6f8fa}'
		'@media (prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--dim:#9aa4af;--line:#30363d;--one:#58a6ff;--two:#f0a35e;--bad:#ff7b72;--card:#161b22}}'
		'*{box-sizing:border-box}body{margin:0 auto;max-width:60rem;padding:1rem;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,"DejaVu Sans",sans-serif;overflow-wrap:break-word}'
		'h1{font-size:1.35rem;line-height:1.35;margin:.2rem 0 .4rem}h2{font-size:1.05rem;margin:1.8rem 0 .5rem}p{margin:.3rem 0}.dim,.none{color:var(--dim)}'
		'.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line)}'
		'th{color:var(--dim);font-weight:600}td.c{min-width:18rem}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}code{font-size:.85em;background:var(--card);padding:.1em .3em;border-radius:.25em}'
		'svg{width:100%;height:auto;display:block}svg text{font-size:11px;fill:var(--dim)}.e{text-anchor:end}.grid{stroke:var(--line);fill:none}polyline{fill:none;stroke-width:2}'
		'.s1{stroke:var(--one)}.s2{stroke:var(--two);stroke-dasharray:5 3}.d1,.b1{fill:var(--one)}.d2{fill:var(--two)}.b2{fill:var(--bad)}.k1{color:var(--one)}.k2{color:var(--two)}.k3{color:var(--bad)}'
		'@media print{:root{--bg:#fff;--fg:#000;--dim:#444;--line:#bbb;--one:#0b6bcb;--two:#b54708;--bad:#c4321d;--card:#f2f2f2}body{max-width:none;padding:0;font-size:11px}section{break-inside:avoid}.wide{overflow:visible}td.c{min-width:9rem}}';
END;
COMMENT ON FUNCTION zcsync._report_style() IS
'how the report looks: dark and light, on a phone and on paper';

-- ---------------------------------------------------------------------
-- The parts of the report.  Each takes the accounts that it is about, the first day and
-- the last day.
-- ---------------------------------------------------------------------

-- Changes sent and read: how many ended, how many of them failed, and the share that
-- arrived within 60 s, of those that failed or whose duration is known.
CREATE FUNCTION zcsync._report_changes(p_accounts bigint[], p_from date, p_to date, OUT changes bigint, OUT failed bigint, OUT share numeric)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT sum(d.done + d.failed), sum(d.failed),
		round(100.0 * sum(zcsync._within(d.waits, 60000)) / nullif(sum((SELECT sum(e.value::bigint) FROM jsonb_each_text(d.waits) AS e)) + sum(d.failed), 0), 2)
	FROM zcsync.daily_numbers AS d
	WHERE d.account_id = ANY (p_accounts) AND d.day BETWEEN p_from AND p_to AND d.measure IN ('sent', 'read')
$$;
COMMENT ON FUNCTION zcsync._report_changes(bigint[], date, date) IS
'the changes of a time, and how many percent of them arrived within 60 s';

-- A share of less than 100 % must not be rounded to 100 %.
CREATE FUNCTION zcsync._report_sentence(p_accounts bigint[], p_from date, p_to date) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN c.changes > 0 THEN
			format('%s %% of %s changes arrived within 60 s', trim_scale(CASE WHEN c.failed > 0 THEN least(c.share, 99.99) ELSE c.share END), zcsync._count_text(c.changes))
		ELSE 'No change was sent or read' END
		|| CASE w.waiting WHEN 0 THEN '; nothing waits for a person' WHEN 1 THEN '; 1 waits for a person' ELSE format('; %s wait for a person', zcsync._count_text(w.waiting)) END
	FROM zcsync._report_changes(p_accounts, p_from, p_to) AS c
	CROSS JOIN (SELECT coalesce(sum(s.dead_letters + s.route_errors + s.streams_failing), 0) AS waiting
		FROM zcsync.stat_accounts AS s JOIN zcsync.accounts AS a ON a.name = s.account WHERE a.account_id = ANY (p_accounts)) AS w
$$;
COMMENT ON FUNCTION zcsync._report_sentence(bigint[], date, date) IS
'the first line of the report';

CREATE FUNCTION zcsync._report_accounts(p_accounts bigint[], p_from date, p_to date) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH s AS MATERIALIZED (SELECT x.account, x.state, x.lag, x.to_do FROM zcsync.status AS x)
	SELECT zcsync._html_table('{account,state,behind,changes,within 60 s,available,what to run}', jsonb_agg(jsonb_build_array(a.name, s.state, s.lag,
		zcsync._count_text(c.changes), coalesce(c.share || ' %', '–'), coalesce(v.available || ' %', '–'), s.to_do) ORDER BY a.name COLLATE "C"), '{4,5,6}', '{7}', 'There are no accounts.')
	FROM zcsync.accounts AS a
	LEFT JOIN s ON s.account = a.name
	LEFT JOIN zcsync.availability AS v ON v.account = a.name
	CROSS JOIN LATERAL zcsync._report_changes(ARRAY[a.account_id], p_from, p_to) AS c
	WHERE a.account_id = ANY (p_accounts)
$$;
COMMENT ON FUNCTION zcsync._report_accounts(bigint[], date, date) IS
'the part of the report about each account: is it in step';

CREATE FUNCTION zcsync._report_plots(p_accounts bigint[], p_from date, p_to date) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('<section><h2>How long changes took</h2>%s</section><section><h2>How many arrived</h2>%s</section>',
		CASE WHEN count(x.p50) = 0 THEN '<p class="none">Nothing was counted.</p>' ELSE
			'<p class="dim"><span class="k1">● half of them (p50)</span>, <span class="k2">● 95 % of them (p95)</span>, at most</p>'
			|| zcsync._svg_lines('p50 and p95 of the time that changes took, by day', array_agg(x.day ORDER BY x.day), array_agg(x.p50 ORDER BY x.day), array_agg(x.p95 ORDER BY x.day)) END,
		CASE WHEN coalesce(sum(x.done + x.failed), 0) = 0 THEN '<p class="none">Nothing was counted.</p>' ELSE
			'<p class="dim"><span class="k1">■ sent and read</span>, <span class="k3">■ failed</span></p>'
			|| zcsync._svg_bars('changes sent and read, and those that failed, by day', array_agg(x.day ORDER BY x.day), array_agg(x.done ORDER BY x.day), array_agg(x.failed ORDER BY x.day)) END)
	FROM (
		SELECT g.day::date AS day, sum(d.done) AS done, sum(d.failed) AS failed,
			zcsync._percentile(zcsync._add_waits(array_agg(d.waits) FILTER (WHERE d.waits IS NOT NULL)), 0.5) AS p50,
			zcsync._percentile(zcsync._add_waits(array_agg(d.waits) FILTER (WHERE d.waits IS NOT NULL)), 0.95) AS p95
		FROM generate_series(p_from, p_to, interval '1 day') AS g (day)
		LEFT JOIN zcsync.daily_numbers AS d ON d.day = g.day::date AND d.account_id = ANY (p_accounts) AND d.measure IN ('sent', 'read')
		GROUP BY g.day) AS x
$$;
COMMENT ON FUNCTION zcsync._report_plots(bigint[], date, date) IS
'the plots of the report: times and numbers of changes by day';

-- What waits for a person now, by what it was and why; and what failed in that time.
CREATE FUNCTION zcsync._report_failures(p_accounts bigint[], p_from date, p_to date) RETURNS text
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT '<section><h2>What waits for a person</h2>' || zcsync._html_table('{account,what,why,how many,since,an example,what to run}',
		(SELECT jsonb_agg(jsonb_build_array(f.name, f.what, f.why, zcsync._count_text(f.n), to_char(f.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), f.example, f.to_do)
			ORDER BY f.n DESC, f.name COLLATE "C", f.what)
		FROM (
			SELECT a.name, concat_ws(' ', d.operation, d.kind) AS what, concat_ws(' ', d.class, d.status) AS why, count(*) AS n, min(d.died_at) AS since,
				CASE WHEN d.kind IS NOT NULL THEN zcsync.reference(d.kind, min(d.local_id)) END AS example,
				format('SELECT zcsync.retry(job_id) FROM zcsync.dead_letters WHERE account_id = %s AND operation = %L AND kind IS NOT DISTINCT FROM %L AND class = %L AND status IS NOT DISTINCT FROM %L;',
					d.account_id, d.operation, d.kind, d.class, d.status) AS to_do
			FROM zcsync.dead_letters AS d JOIN zcsync.accounts AS a USING (account_id)
			WHERE d.account_id = ANY (p_accounts)
			GROUP BY a.name, d.account_id, d.operation, d.kind, d.class, d.status
			UNION ALL
			SELECT a.name, 'route ' || r.name, 'cannot be mapped', count(DISTINCT e.source_id), min(e.last_at), zcsync.reference(s.kind, min(e.source_id)),
				format('SELECT * FROM zcsync.errors WHERE source = %L;', 'route ' || r.name)
			FROM zcsync.route_errors AS e JOIN zcsync.routes AS r USING (route_id) JOIN zcsync.streams AS s ON s.stream_id = r.source_stream_id
			JOIN zcsync.accounts AS a USING (account_id)
			WHERE a.account_id = ANY (p_accounts) GROUP BY a.name, r.name, s.kind
			ORDER BY 4 DESC LIMIT 20) AS f), '{4}', '{7}', 'Nothing.')
		|| '</section><section><h2>Which jobs failed most</h2>' || zcsync._html_table('{account,operation,failed,of,percent}',
		(SELECT jsonb_agg(jsonb_build_array(f.name, f.kind, zcsync._count_text(f.failed), zcsync._count_text(f.whole), round(100.0 * f.failed / f.whole, 2) || ' %') ORDER BY f.failed DESC, f.name COLLATE "C")
		FROM (
			SELECT a.name, d.kind, sum(d.failed) AS failed, sum(d.done + d.failed) AS whole
			FROM zcsync.daily_numbers AS d JOIN zcsync.accounts AS a USING (account_id)
			WHERE d.account_id = ANY (p_accounts) AND d.day BETWEEN p_from AND p_to AND d.measure = 'job'
			GROUP BY a.name, d.kind HAVING sum(d.failed) > 0 ORDER BY 3 DESC LIMIT 10) AS f), '{3,4,5}', '{}', 'None.') || '</section>'
$$;
COMMENT ON FUNCTION zcsync._report_failures(bigint[], date, date) IS
'the part of the report about what failed, with what to run';

-- Calls made, also in percent of what the account may send in that time: on the days of it
-- that have come, today as a whole, since the account was added.  Calls that were saved
-- are counted since the server started.
CREATE FUNCTION zcsync._report_calls(p_accounts bigint[], p_from date, p_to date) RETURNS text
LANGUAGE sql VOLATILE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT '<section><h2>Calls of the vendors'' APIs</h2>' || zcsync._html_table('{account,class,calls,of those allowed,throttled,saved since the server started}',
		jsonb_agg(jsonb_build_array(a.name, d.kind, zcsync._count_text(d.calls),
			coalesce(round(100.0 * d.calls / nullif(b.calls * b.share * 86400 / b.window_s * t.days, 0)::numeric, 2) || ' %', '–'),
			zcsync._count_text(d.throttled), zcsync._count_text(m.saved)) ORDER BY a.name COLLATE "C", d.kind), '{3,4,5,6}', '{}', 'None were made.') || '</section>'
	FROM (
		SELECT x.account_id, x.kind, sum(x.done) AS calls, sum(x.failed) AS throttled FROM zcsync.daily_numbers AS x
		WHERE x.account_id = ANY (p_accounts) AND x.day BETWEEN p_from AND p_to AND x.measure = 'calls' GROUP BY 1, 2) AS d
	JOIN zcsync.accounts AS a USING (account_id)
	CROSS JOIN LATERAL (SELECT greatest(least(p_to, (zcsync._now() AT TIME ZONE 'UTC')::date) - greatest(p_from, (a.created_at AT TIME ZONE 'UTC')::date) + 1, 1) AS days) AS t
	LEFT JOIN zcsync.account_budgets AS b ON b.account_id = d.account_id AND b.class = d.kind
	LEFT JOIN (SELECT x.account_id, sum(x.total) AS saved FROM zcsync._metric_series() AS x WHERE x.family = 'saved' GROUP BY 1) AS m ON m.account_id = d.account_id
$$;
COMMENT ON FUNCTION zcsync._report_calls(bigint[], date, date) IS
'the part of the report about calls: made, allowed, saved';

CREATE FUNCTION zcsync._report_outages(p_accounts bigint[], p_from date, p_to date) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT '<section><h2>Outages</h2>' || zcsync._html_table('{account,cause,began (UTC),lasted}',
		jsonb_agg(jsonb_build_array(coalesce(o.name, '(all)'), o.cause, to_char(o.began_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'),
			zcsync._span(coalesce(o.ended_at, zcsync._now()) - o.began_at) || CASE WHEN o.ended_at IS NULL THEN ', goes on' ELSE '' END) ORDER BY o.began_at), '{}', '{}', 'None.') || '</section>'
	FROM (
		SELECT a.name, o.* FROM zcsync._outages_since(p_from::timestamp AT TIME ZONE 'UTC') AS o LEFT JOIN zcsync.accounts AS a USING (account_id)
		WHERE (o.account_id = ANY (p_accounts) OR o.account_id IS NULL) AND o.began_at < (p_to + 1)::timestamp AT TIME ZONE 'UTC'
		ORDER BY o.began_at DESC LIMIT 50) AS o
$$;
COMMENT ON FUNCTION zcsync._report_outages(bigint[], date, date) IS
'the part of the report about outages';

CREATE FUNCTION zcsync._report_work(p_accounts bigint[], p_from date, p_to date) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT '<section><h2>Conversations</h2>' || zcsync._html_table('{account,opened,resolved,first reply (median),resolution (median)}', (
		SELECT jsonb_agg(jsonb_build_array(w.name, zcsync._count_text(w.opened), zcsync._count_text(w.resolved), zcsync._ms_text(w.reply), zcsync._ms_text(w.resolution)) ORDER BY w.name COLLATE "C")
		FROM (
			SELECT a.name, sum(n.opened) AS opened, sum(n.resolved) AS resolved, zcsync._percentile(zcsync._add_waits(array_agg(n.replies)), 0.5) AS reply,
				zcsync._percentile(zcsync._add_waits(array_agg(n.resolutions)), 0.5) AS resolution
			FROM zcsync.work_numbers AS n JOIN zcsync.accounts AS a USING (account_id)
			WHERE n.account_id = ANY (p_accounts) AND n.day BETWEEN p_from AND p_to GROUP BY a.name) AS w), '{2,3,4,5}', '{}', 'No ticket was opened, replied to or resolved.')
		|| '<p class="dim">In business hours, where the mirror has comments and tells what is resolved.</p></section><section><h2>Leads</h2>'
		|| zcsync._html_table('{account,source,leads,prospects,opportunities,closed,conversion}', (
		SELECT jsonb_agg(jsonb_build_array(l.name, coalesce(zcsync._shorten(nullif(l.source, ''), 60), '(none)'), zcsync._count_text(l.leads), zcsync._count_text(l.prospects), zcsync._count_text(l.opportunities),
			zcsync._count_text(l.closed), round(100.0 * l.opportunities / nullif(l.leads, 0), 1) || ' %') ORDER BY l.leads DESC, l.name COLLATE "C", l.source COLLATE "C")
		FROM (
			SELECT a.name, n.source, sum(n.leads) AS leads, sum(n.prospects) AS prospects, sum(n.opportunities) AS opportunities, sum(n.closed) AS closed
			FROM zcsync.lead_numbers AS n JOIN zcsync.accounts AS a USING (account_id)
			WHERE n.account_id = ANY (p_accounts) AND n.day BETWEEN p_from AND p_to GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 20) AS l), '{3,4,5,6,7}', '{}', 'No lead was created.') || '</section>'
$$;
COMMENT ON FUNCTION zcsync._report_work(bigint[], date, date) IS
'the part of the report about tickets and leads';

-- By the account of the originals, as the view has it; weeks begin on Monday.
CREATE FUNCTION zcsync._report_comments(p_accounts bigint[], p_from date, p_to date) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT '<section><h2>Comments that routes carried</h2>' || zcsync._html_table('{week of,public,internal,private crossed}', jsonb_agg(jsonb_build_array(w.week,
		zcsync._count_text(w.public), zcsync._count_text(w.internal), zcsync._count_text(w.private_crossed)) ORDER BY w.week DESC), '{2,3,4}', '{}', 'None.')
		|| '<p class="dim">Public: others than agents could read the copy. Private crossed: those of them whose original is private now.</p></section>'
	FROM (
		SELECT date_trunc('week', d.day)::date AS week, sum(d.public) AS public, sum(d.internal) AS internal, sum(d.private_crossed) AS private_crossed
		FROM zcsync._comments_carried(p_from, p_to) AS d JOIN zcsync.accounts AS a ON a.name = d.account
		WHERE a.account_id = ANY (p_accounts) GROUP BY 1) AS w
$$;
COMMENT ON FUNCTION zcsync._report_comments(bigint[], date, date) IS
'the part of the report about comments that routes carried, a line a week';

-- ---------------------------------------------------------------------
-- The page
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.report_html(account text DEFAULT NULL, since date DEFAULT NULL, until date DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO'
SET jit = off
AS $$
DECLARE
	v_to date := coalesce(report_html.until, (zcsync._now() AT TIME ZONE 'UTC')::date);
	v_from date := coalesce(report_html.since, v_to - 29);
	v_accounts bigint[] := CASE WHEN report_html.account IS NULL THEN (SELECT coalesce(array_agg(a.account_id), '{}') FROM zcsync.accounts AS a)
		ELSE ARRAY[zcsync.account(report_html.account)] END;
	v_sentence text;
BEGIN
	IF v_to - v_from NOT BETWEEN 0 AND 400 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('a report from %s to %s cannot be made', v_from, v_to),
			HINT = 'It has at least one day, both being included, and at most 401.';
	END IF;
	v_sentence := zcsync._html(zcsync._report_sentence(v_accounts, v_from, v_to));
	RETURN concat('<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
		'<meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''unsafe-inline''"><title>', v_sentence, '</title><style>', zcsync._report_style(),
		'</style></head><body><h1>', v_sentence, '</h1><p class="dim">', zcsync._html(coalesce('Account ' || report_html.account, 'All accounts')), format(', %s to %s; counted %s (UTC).</p>', v_from, v_to,
			(SELECT coalesce(to_char(i.numbers_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), 'never: CALL zcsync.maintain();') FROM zcsync.installation AS i)),
		'<section><h2>Accounts now</h2>', zcsync._report_accounts(v_accounts, v_from, v_to), '</section>',
		zcsync._report_plots(v_accounts, v_from, v_to), zcsync._report_failures(v_accounts, v_from, v_to), zcsync._report_calls(v_accounts, v_from, v_to),
		zcsync._report_outages(v_accounts, v_from, v_to), zcsync._report_work(v_accounts, v_from, v_to),
		zcsync._report_comments(v_accounts, v_from, v_to), '</body></html>');
END
$$;
COMMENT ON FUNCTION zcsync.report_html(text, date, date) IS
'one page of HTML about an account, or all, from since to until, by default the last 30 days: what arrived, how fast, what failed, what to run';
