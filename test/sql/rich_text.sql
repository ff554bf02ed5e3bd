-- The text of comments from one form to another: samples as vendors and programs for mail
-- write them, attacks, laws, and random input.
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
\pset format unaligned
\pset tuples_only on

CREATE TABLE samples (id text PRIMARY KEY, form text NOT NULL, content jsonb NOT NULL);
CREATE FUNCTION html(p_id text, p_html text) RETURNS void LANGUAGE sql AS $$ INSERT INTO samples VALUES (p_id, 'html', to_jsonb(p_html)) $$;
CREATE FUNCTION plain(p_id text, p_text text) RETURNS void LANGUAGE sql AS $$ INSERT INTO samples VALUES (p_id, 'text', to_jsonb(p_text)) $$;
CREATE FUNCTION show(p_id text, p_options jsonb DEFAULT '{}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT f || ': ' || (zcsync._convert_comment(s.form, s.content, f, p_options) #>> '{}')
	FROM samples AS s, unnest('{html,text,blocks}'::text[]) WITH ORDINALITY AS x (f, n)
	WHERE s.id = p_id ORDER BY n
$$;
CREATE FUNCTION show_text(p_id text, p_options jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT zcsync._convert_comment(s.form, s.content, 'text', p_options) #>> '{}' FROM samples AS s WHERE s.id = p_id
$$;

-- ---------------------------------------------------------------------
-- Formatting
-- ---------------------------------------------------------------------

DO $do$ BEGIN
PERFORM html('inline', '<p>A <b>bold</b>, <i>italic</i> and <strong><em>both</em></strong>,<code>x &lt; y</code>.<br>Next  line &amp; more&nbsp;&nbsp;blanks</p>');
PERFORM html('paragraphs', '<div class="zd-comment" dir="auto"><p>One<br>two</p>
	<p>three</p><div>four</div><div>five</div><div><br></div><div>six</div><h2>Title</h2>seven</div>');
PERFORM html('lists', '<p>Steps:</p><ol><li>a<ul><li>b<br>more of b</li><li><p>c</p></li></ul>after</li><li>d</li></ol><ul><li>e</li></ul>end');
PERFORM html('quote', '<blockquote><p>said</p><blockquote>before</blockquote></blockquote><p>answer</p>');
PERFORM html('code', '<p>Log:</p><pre><code>
if (a &lt; b)
	go();

  done
</code></pre>after');
PERFORM html('links', '<a href="https://example.com/a?b=1&amp;c=%20">see <b>this</b></a>, <a href="https://example.com/">https://example.com</a>,
	<a href="mailto:a@example.com">a@example.com</a>, <a href="/relative">relative</a>, <a href="//other">other</a>, <a name="x">anchor</a>');
PERFORM html('table', '<table><tr><th>Name</th><th>Size</th></tr><tr><td>a</td><td><b>1</b></td></tr><tr><td colspan="2">end</td></tr></table>');
PERFORM html('images', '<p>See <img src="https://acme.example/attachments/token/abc/?name=screen%20shot.png"> and <img src="cid:image001.png@01D9" alt="a logo">
	<img src="data:image/png;base64,AAAA"><img src="https://cdn.example.com/smile.gif" alt="&#x1F600;"><img src="https://cdn.example.com/x/banner.jpg?u=1">
	<img alt="" src="https://cdn.example.com/line.gif"></p>');
PERFORM html('mentions', '<p><a class="user_mention" href="https://acme.example/agent/users/1">@Ann Example</a> and <span class="mention" data-id="5"> Bob</span>
	and <a id="OWAAM12" href="mailto:c@example.com">@Cleo</a> look</p>');
PERFORM html('unicode', '<p>Gr&uuml;&szlig;e &#128512; &#x202E;gnp.exe zero&#x200B;width soft&shy;hyphen 日本語</p>');
END $do$;
SELECT E'\n' || id || E'\n' || (SELECT string_agg(t, E'\n') FROM show(id) AS t) FROM samples ORDER BY ctid;

-- ---------------------------------------------------------------------
-- Blocks
-- ---------------------------------------------------------------------

INSERT INTO samples VALUES
	('blocks: lines', 'blocks', $$[{"text": "Look "}, {"text": "here", "attributes": {"bold": true, "link": "https://example.com/"}}, {"text": "\n", "attributes": {"block-id": "block-1"}},
		{"text": "\n"}, {"text": "one"}, {"text": "\n", "attributes": {"list": {"list": "bullet"}}}, {"text": "two"}, {"text": "\n", "attributes": {"list": "bullet", "indent": 1}},
		{"text": "three"}, {"text": "\n", "attributes": {"list": {"list": "ordered"}}}, {"text": "done"}, {"text": "\n", "attributes": {"list": {"list": "checked"}}},
		{"text": "open"}, {"text": "\n", "attributes": {"list": {"list": "unchecked"}}}, {"text": "quoted"}, {"text": "\n", "attributes": {"blockquote": true}},
		{"text": "Title"}, {"text": "\n", "attributes": {"header": 2}},
		{"text": "a = 1"}, {"text": "\n", "attributes": {"code-block": {"code-block": "plain"}}}, {"text": "b = 2"}, {"text": "\n", "attributes": {"code-block": {"code-block": "plain"}}},
		{"text": "last, first\nlast, second"}]$$),
	('blocks: types', 'blocks', $$[{"type": "tag", "text": "@Ann Example", "user": {"id": 183, "username": "Ann Example", "email": "ann@example.com"}}, {"text": " and "},
		{"type": "tag", "text": "@Bob"}, {"text": " and "}, {"type": "assignees_tag", "text": "@assignees"}, {"text": " and "}, {"type": "people_custom_field_tag", "text": "Reviewers"},
		{"text": "\n"}, {"type": "image", "text": "image.png", "image": {"id": "a.png", "name": "image.png", "title": "screen.png", "url": "https://t1.attachments.example/t1/a/screen.png"}},
		{"type": "attachment", "text": "report.pdf", "attachment": {"title": "report.pdf", "mimetype": "application/pdf", "url": "https://t1.attachments.example/t1/b/report.pdf"}},
		{"type": "attachment", "text": "p.png", "attachment": {"title": "p.png", "mimetype": "image/png", "url": "https://t1.attachments.example/t1/b/p.png"}},
		{"text": "\n"}, {"type": "frame", "text": "", "frame": {"service": "loom", "url": "https://loom.example/share/1"}}, {"text": " "},
		{"type": "frame", "frame": {"service": "some_video", "url": "https://t1.attachments.example/t1/c/rec.webm"}},
		{"text": "\n"}, {"type": "bookmark", "text": "A page", "bookmark": {"url": "https://example.com/page"}}, {"text": " "},
		{"type": "link_mention", "text": "https://example.com/x", "link_mention": {"url": "https://example.com/x"}}, {"text": " "},
		{"type": "bookmark", "text": "bad", "bookmark": {"url": "javascript:alert(1)"}}, {"text": " "},
		{"type": "task_mention", "text": "Fix the printer", "task_mention": {"task_id": "86a1"}}, {"text": " "}, {"type": "task_mention", "task_mention": {"task_id": "86a2"}},
		{"text": " "}, {"type": "emoticon", "text": "U0001F60A", "emoticon": {"code": "1f60a"}}, {"type": "emoticon", "text": ":coder:", "emoticon": {"code": "1f468-200d-1f4bb"}},
		{"type": "emoticon", "text": ":odd:", "emoticon": {"code": "zz"}}, {"text": "\n"},
		{"type": "table-embed", "text": "undefined", "table-embed": {"rows": [{"insert": {"id": "r1"}}, {"insert": {"id": "r2"}}], "columns": [{"insert": {"id": "c1"}}, {"insert": {"id": "c2"}}],
			"cells": {"1:1": {"content": [{"insert": "Name\n", "attributes": {"bold": true}}]}, "1:2": {"content": [{"insert": "Size\n"}]}, "2:1": {"content": [{"insert": "a\n"}]}}}},
		{"type": "from the future", "text": "its text"}, {"type": "void"}, 17, null, ["x"], "a string"]$$),
	('blocks: nothing', 'blocks', '[]'), ('blocks: a text', 'blocks', '"just text"'),
	('markdown', 'markdown', to_jsonb($$# Title

Some **bold** and *italic* `code`, a [link](https://example.com "t") and a [bad one](javascript:alert(1)).
Second line

- one
- two
  1. nested

> quoted

```
x < y
```
<script>alert(1)</script><b onclick="x">html</b>$$::text));
SELECT E'\n' || id || E'\n' || (SELECT string_agg(t, E'\n') FROM show(id) AS t) FROM samples WHERE form IN ('blocks', 'markdown') ORDER BY ctid;

-- ---------------------------------------------------------------------
-- Mail: history and signatures stay out
-- ---------------------------------------------------------------------

DO $do$ BEGIN
PERFORM html('mail: gmail', '<div dir="ltr"><div>It works now.</div><div><br></div><div>Thanks</div></div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Mon, Nov 29, 2026 at 10:00 AM Acme &lt;<a href="mailto:support@acme.example">support@acme.example</a>&gt; wrote:<br></div><blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);padding-left:1ex"><p>Please try again.</p></blockquote></div>');
PERFORM html('mail: gmail signature', '<div dir="ltr">Hello<br clear="all"><div><br></div><span class="gmail_signature_prefix">-- </span><br><div dir="ltr" class="gmail_signature"><b>Ann</b> | Example Ltd</div></div>');
PERFORM html('mail: outlook', '<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><meta charset="windows-1252"><style><!--
/* Font Definitions */
@font-face {font-family:Calibri; panose-1:2 15 5 2 2 2 4 3 2 4;}
p.MsoNormal {margin:0cm; font-size:11.0pt;}
--></style><!--[if gte mso 9]><xml><o:shapedefaults v:ext="edit" spidmax="1026" /></xml><![endif]--></head><body lang="EN-GB"><div class="WordSection1">
<p class="MsoNormal">Hello,<o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p><p class="MsoNormal">the printer is <b>broken</b>.<o:p></o:p></p>
<p class="MsoListParagraph" style="text-indent:-18.0pt"><!--[if !supportLists]-->1.&nbsp;<!--[endif]-->first</p>
<div><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal"><b>From:</b> Support &lt;support@acme.example&gt;<br><b>Sent:</b> 28 November 2026 09:00<br><b>To:</b> ann@example.com<br><b>Subject:</b> Re: Printer<o:p></o:p></p></div></div>
<p class="MsoNormal">Old text</p></div></body></html>');
PERFORM html('mail: outlook web', '<div class="elementToProof">New text</div><div id="Signature"><p>Ann Example</p></div><div id="appendonsend"></div><hr tabindex="-1" style="display:inline-block; width:98%"><div id="divRplyFwdMsg" dir="ltr"><b>From:</b> x</div><div>Old text</div>');
PERFORM html('mail: apple', '<div>Yes.<br><div><br><blockquote type="cite"><div>On 29 Nov 2026, at 10:00, Support &lt;support@acme.example&gt; wrote:</div><br><div>Is it?</div></blockquote></div></div>');
PERFORM html('mail: thunderbird', '<p>Ok</p><div class="moz-cite-prefix">Am 29.11.26 um 10:00 schrieb Support:<br></div><blockquote type="cite" cite="mid:1">alt</blockquote><div class="moz-signature">-- <br>Ann</div>');
PERFORM html('mail: quoted again', '<p>New</p><div class="x_gmail_quote">old</div><div id="x_Signature">Ann</div><div class="m_-12345gmail_signature">Ann</div>');
PERFORM html('mail: nothing else', '<div class="gmail_quote"><div>---------- Forwarded message ---------<br>From: B<br></div><p>All there is</p></div>');
PERFORM html('mail: reply above', '<p>Fine, thanks</p><p>##- Please type your reply above this line -##</p><p>Your request (17) was updated.</p>');
PERFORM html('mail: reply above, first', '<span>##- Please type your reply above this line -##</span><p>Your request (17) was updated.</p>');
PERFORM html('mail: only wrote', '<p>On Monday the customer wrote:</p><p>my printer is broken</p>');
PERFORM plain('mail: plain', E'It works now.\r\n\r\nAnn\r\n-- \r\nExample Ltd\r\nPhone 123');
PERFORM plain('mail: plain history', E'Yes\n\nOn Mon, Nov 29, 2026 at 10:00 AM Support <support@acme.example>\nwrote:\n\n> Is it?\n> Or not?\n');
PERFORM plain('mail: answers below', E'On 2026-11-29 10:00, Support wrote:\n> Is it?\n\nYes, it is.');
PERFORM plain('mail: answers between', E'On 2026-11-29 10:00, Support wrote:\n> Is it?\nYes.\n> And that?\nNo.');
PERFORM plain('mail: original', E'Done\n\n-----Original Message-----\nFrom: a\nSubject: b\n\nold');
PERFORM plain('mail: original in German', E'Erledigt\n\n-----Ursprüngliche Nachricht-----\nVon: a');
PERFORM plain('mail: header', E'Done\n\nFrom: Support <s@acme.example>\nSent: Monday, 29 November 2026 10:00\nTo: Ann\nSubject: Printer\n\nold');
PERFORM plain('mail: German header', E'Ok\nVon: Support\nGesendet: Montag\nAn: Ann\nBetreff: Drucker\n\nalt');
PERFORM plain('mail: French', E'Merci\n\nLe lun. 29 nov. 2026 à 10:00, Support <s@acme.example> a écrit :\n> Bonjour');
PERFORM plain('mail: a form', E'From: Ann\nDate: 2026-11-29\nSubject: Printer\n\nIt is broken.');
PERFORM plain('mail: from and to', E'From: Berlin\nTo: Paris\nplease book');
END $do$;
SELECT E'\n' || id || E'\n' || show_text(id) FROM samples WHERE id LIKE 'mail%' ORDER BY ctid;
SELECT E'\nkept:\n' || show_text('mail: gmail', '{"keep_quotes": true}');
SELECT E'\nkept:\n' || show_text('mail: outlook', '{"keep_quotes": true}');

-- ---------------------------------------------------------------------
-- Attacks
-- ---------------------------------------------------------------------

DO $do$ BEGIN
PERFORM html('attack: script', 'a<script>alert(1)</script><SCRIPT SRC=//x>b</SCRIPT><style>p{}</style>c<svg onload=alert(1)><text>t</text></svg><iframe src=x>i</iframe><object data=x>o</object>d');
PERFORM html('attack: handlers', '<p onclick="alert(1)" style="background:url(javascript:1)">a<b onmouseover=x>b</b><img src=x onerror=alert(1)></p>');
PERFORM html('attack: urls', '<a href="javascript:alert(1)">1</a><a href=" JaVa&#10;Script:alert(1)">2</a><a href="data:text/html,x">3</a><a href="vbscript:x">4</a><a href="https://ok.example/&quot;onclick=&quot;x">5</a><a href="&#1;javascript:x">6</a><a href="https://a.example/' || repeat('x', 3000) || '">7</a><a href="file:///etc/passwd">8</a>');
PERFORM html('attack: hidden', 'a<span style="display: NONE">1</span><div hidden>2</div><p style="visibility:hidden">3</p><span style="font-size:0px">4</span><span style="mso-hide:all">5</span><span style="font-size:0.9em">b</span><div style="max-height:0;overflow:hidden">6</div><span style="opacity:0;color:#333">7</span>');
PERFORM html('attack: trackers', 'a<img src="https://t.example/open.gif?u=1" width="1" height="1"><img src="https://t.example/o.gif" style="display:none"><img src="https://t.example/p.gif" height=0>b');
PERFORM html('attack: forms', '<form action="https://evil.example"><label>Password</label><input name=p value=secret><textarea>t</textarea><select><option>o</option></select><button>Go</button></form>');
PERFORM html('attack: entities', '<p>&b;&x;&lt;script&gt;alert(1)&lt;/script&gt;</p>');
PERFORM html('attack: comment', 'a<!-- <b>x</b> --><!--[if mso]>hidden<![endif]-->b<?php e ?>f');
PERFORM html('attack: broken', '<b><p>a</b>b</p><ul><p>c<li>d</ul></li></div></body>e<i>f<a href="https://x.example">g<table><tr>h<td>i');
PERFORM html('attack: unclosed', 'text <a href="https://x.example/ <b>bold</b> more');
PERFORM plain('attack: markup in text', E'<script>alert("1")</script> & \'quotes\' <a href="javascript:x">\n  indented   blanks ');
END $do$;
INSERT INTO samples VALUES ('attack: blocks', 'blocks', '[{"text": "<img src=x onerror=alert(1)>", "attributes": {"link": "javascript:alert(1)"}}, {"text": "\"x", "attributes": {"link": {"url": "https://x.example/\"><b>"}}}]');
SELECT E'\n' || id || E'\n' || (SELECT string_agg(t, E'\n') FROM show(id) AS t WHERE t NOT LIKE 'blocks: %') FROM samples WHERE id LIKE 'attack%' ORDER BY ctid;

-- Where versions of libxml2 differ in what remains of nonsense.
SELECT replace(zcsync._convert_comment('html', '"<p>a&#0;&#xD800;&#x110000;b</p>"', 'text') #>> '{}', U&'\FFFD', '') AS characters_that_are_none,
	zcsync._convert_comment('html', to_jsonb('<!DOCTYPE html [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]><p>&b;&x;'::text), 'text') #>> '{}' LIKE '%&b;&x;' AS not_expanded,
	zcsync._convert_comment('html', '"a<![CDATA[c]]>b"', 'html') #>> '{}' ~ '^<p>a(&lt;!\[CDATA\[c\]\]&gt;)?b</p>$' AS no_cdata;

-- Much of it: depth, attributes, links, entities; the size of what comes out is bounded, too.
CREATE TABLE big (id text, content text);
INSERT INTO big VALUES
	('deep', repeat('<div>', 100000) || 'x'), ('deep lists', repeat('<ul><li>', 50000) || 'x'), ('deep quotes', repeat('<blockquote>', 300) || 'x'),
	('deep and closed', repeat('<i>', 150000) || repeat('</b>', 100000) || 'x'), ('attributes', '<p ' || repeat('a=1 ', 200000) || '>x</p>'),
	('different attributes', '<p ' || (SELECT string_agg('a' || n || '=""', '') FROM generate_series(1, 60000) AS n) || '>x</p>'),
	('one link', '<a href="https://a.example/' || repeat('x', 1900) || '">' || repeat('a<b>b</b>', 100000) || '</a>'),
	('many lines', repeat('a<br>', 200000)), ('many lists', repeat('<ul><li>x</ul>', 60000)), ('unclosed', repeat('<', 500000)), ('comments', repeat('<!--', 200000)),
	('too long', repeat('word ', 500000) || '<b>end</b>'), ('entities', repeat('&amp;', 150000)), ('markers', repeat(E'On 2026-11-29 10:00 a wrote:\n> b\nc\n', 20000));
SELECT id, length(zcsync._convert_comment('html', to_jsonb(content), 'html')::text) < 12000000 FROM big ORDER BY id;
SELECT id, length(zcsync._convert_comment('markdown', to_jsonb(content), 'blocks')::text) < 40000000 FROM big ORDER BY id;
SELECT id, length(zcsync._convert_comment('text', to_jsonb(content), 'text')::text) < 12000000 FROM big ORDER BY id;
SELECT zcsync._convert_comment('html', to_jsonb(repeat('<div>', 1000) || 'a<b>b</b><script>c'), 'html');
SELECT id, length(zcsync._convert_comment('markdown', to_jsonb(m), 'html')::text) < 12000000
FROM (VALUES ('brackets', repeat('[', 60000)), ('quotes', repeat('>', 60000)), ('stars', repeat('**a *b ', 8000)), ('underscores', repeat('_a__', 15000)), ('ticks', repeat('`a``b', 12000)),
	('nested lists', (SELECT string_agg(repeat(' ', n) || '- x', E'\n') FROM generate_series(0, 300) AS n)), ('links', repeat('[a](b', 12000)), ('html', repeat('<a ', 20000))) AS m (id, m);

-- Reading ends when it is cancelled.
\set VERBOSITY terse
SET statement_timeout = 200;
SELECT count(zcsync._convert_comment('html', to_jsonb(content), 'html')) FROM big, generate_series(1, 10000) WHERE id = 'many lists';
RESET statement_timeout;
\set VERBOSITY default

-- ---------------------------------------------------------------------
-- Options
-- ---------------------------------------------------------------------

SELECT E'\nprefix\n' || (SELECT string_agg(t, E'\n') FROM show('paragraphs', '{"prefix": "Ann <b>Example</b> (agent),\n 2026-11-29 10:00 UTC"}') AS t);
SELECT E'\nprefix and history\n' || show_text('mail: gmail', '{"prefix": "On 2026-11-29 10:00 Ann wrote:"}');
SELECT E'\ncut\n' || (SELECT string_agg(t, E'\n') FROM show('lists', '{"max_length": 70, "link": "https://acme.example/tickets/1?a=1&b=2"}') AS t);
SELECT E'\ncut without a link\n' || show_text('lists', '{"max_length": 14, "link": "javascript:x"}');
SELECT E'\ncut in a run\n' || (zcsync._convert_comment('html', '"<p>one <b>two three <i>four</i></b> five</p>"', 'html', '{"max_length": 20}') #>> '{}');
SELECT E'\nas long as it may be\n' || (zcsync._convert_comment('html', '"<p>one <b>two</b></p>"', 'html', '{"max_length": 7}') #>> '{}');
SELECT E'\none word\n' || (zcsync._convert_comment('text', to_jsonb(repeat('語', 300)), 'text', '{"max_length": 10}') #>> '{}');
SELECT E'\nodd options\n' || show_text('quote', '{"max_length": "many", "link": 5, "keep_quotes": "x", "prefix": null}');
SELECT zcsync._convert_comment(f, c, t, o) FROM unnest('{html,blocks,markdown,text}'::text[]) AS f, unnest('{html,blocks}'::text[]) AS t,
	unnest('{"null","{\"a\": [1]}","17",""}'::text[]) AS x, LATERAL (SELECT nullif(x, '')::jsonb) AS y (c), unnest('{"[]","5"}'::jsonb[]) AS o WHERE c IS NOT NULL ORDER BY f, t, c, o;
SELECT zcsync._convert_comment('rtf', '""', 'html');
SELECT zcsync._convert_comment('html', '""', 'markdown');

-- ---------------------------------------------------------------------
-- Laws: converting again changes nothing; HTML that came out has no other tags
-- ---------------------------------------------------------------------

CREATE FUNCTION broken_laws(p_form text, p_content jsonb, p_options jsonb) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	v_form text;
	v_once jsonb;
	v_twice jsonb;
	v_tag text;
BEGIN
	FOREACH v_form IN ARRAY '{html,blocks,text}'::text[] LOOP
		v_once := zcsync._convert_comment(p_form, p_content, v_form, p_options);
		v_twice := zcsync._convert_comment(v_form, v_once, v_form,
			CASE WHEN p_options ? 'prefix' THEN '{"keep_quotes": true}' ELSE p_options - '{max_length,link}'::text[] END);
		IF v_once <> v_twice THEN
			RETURN NEXT format('%s to %s: not the same again: %s, %s', p_form, v_form, left(v_once::text, 1000), left(v_twice::text, 1000));
		END IF;
		IF p_options ? 'max_length' AND v_form = 'blocks'
			AND (SELECT sum(length(b ->> 'text')) - 1 FROM jsonb_array_elements(v_once) AS b) > (p_options ->> 'max_length')::integer THEN
			RETURN NEXT format('%s: too long: %s', p_form, v_once);
		END IF;
		IF v_form = 'html' THEN
			FOR v_tag IN SELECT m[1] FROM regexp_matches(v_once #>> '{}', '(<[^>]*>)', 'g') AS m
				WHERE m[1] !~ '^</?(p|br|strong|em|code|pre|ul|ol|li|blockquote|a)>$'
					AND m[1] !~* '^<a href="(https?://|mailto:)[^"<>[:cntrl:]]+">$' LOOP
				RETURN NEXT format('%s: tag %s', p_form, v_tag);
			END LOOP;
			IF v_once #>> '{}' ~ '<[^>]*$' THEN
				RETURN NEXT format('%s: cut in a tag', p_form);
			END IF;
		END IF;
	END LOOP;
END
$$;
SELECT s.id, o, b FROM samples AS s, unnest(ARRAY['{}', '{"keep_quotes": true}', '{"max_length": 40}', '{"max_length": 60, "link": "https://x.example/"}', '{"prefix": "A:"}']::jsonb[]) AS o,
	broken_laws(s.form, s.content, o) AS b ORDER BY 1, 2;

-- ---------------------------------------------------------------------
-- Random input: no error, and the laws hold
-- ---------------------------------------------------------------------

CREATE TABLE shards (id integer GENERATED ALWAYS AS IDENTITY, shard text);
INSERT INTO shards (shard) SELECT unnest(ARRAY['<p>', '</p>', '<div>', '</div>', '<b>', '</b>', '<i>', '</i>', '<ul>', '</ul>', '<ol>', '</ol>', '<li>', '</li>', '<blockquote>', '</blockquote>',
	'<blockquote type="cite">', '<pre>', '</pre>', '<code>', '</code>', '<br>', '<hr>', '<table>', '<tr>', '<td>', '</td>', '</table>', '<h1>', '</h1>', '<a href="https://x.example/">',
	'<a href="javascript:1">', '</a>', '<script>', '</script>', '<style>', '<!--', '-->', '<img src="cid:a.png">', '<img alt="x y">', '<div class="gmail_quote">', '<span style="display:none">',
	'</span>', '<span class="mention">', '&nbsp;', '&amp;', '&lt;', '&#0;', '&#x1F600;', '&bogus;', ' ', '  ', E'\n', E'\n\n', E'\t', 'word', 'words and words', '日本', 'é', '"', '''', '<', '>', '&',
	'--', '- ', '* ', '1. ', '> ', '**', '_', '`', '```', '# ', '[a](https://x.example)', '![i](u)', E'\\', E'\u0001', E'\u200b', E'\u202e', 'On 2026-11-29 10:00 a@b.example wrote:',
	'-----Original Message-----', 'From: a', 'Sent: b', 'Subject: c', '##- reply -##', '<p class="MsoNormal">', '<div id="divRplyFwdMsg">', '<svg>', '</svg>', '<textarea>', '<p', 'x="', '<?', '<![']);
CREATE FUNCTION random_text(p_seed integer) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(s.shard, '' ORDER BY n), '')
	FROM generate_series(1, 1 + p_seed % 40) AS n
	JOIN shards AS s ON s.id = 1 + abs(hashint4(p_seed * 41 + n)) % (SELECT count(*) FROM shards)
$$;
CREATE FUNCTION random_blocks(p_seed integer) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('text', CASE WHEN h % 3 = 0 THEN E'\n' ELSE random_text(h % 5000) END,
			'type', CASE WHEN h % 7 = 0 THEN (ARRAY['tag', 'image', 'attachment', 'frame', 'bookmark', 'emoticon', 'table-embed', 'other'])[1 + h % 8] END,
			'attributes', (ARRAY['{}', '{"bold": true}', '{"list": {"list": "bullet"}, "indent": 3}', '{"list": "ordered", "indent": 1}', '{"code-block": {"code-block": "sql"}}', '{"blockquote": {}}',
				'{"link": "https://x.example/a b"}', '{"header": 1}', 'null', '[]', '{"list": {"list": "checked"}, "indent": -5}', '{"code": true, "italic": true}']::jsonb[])[1 + h % 12]) ORDER BY n)
	FROM generate_series(1, 1 + p_seed % 12) AS n, LATERAL (SELECT abs(hashint4(p_seed * 13 + n) / 2)) AS x (h)
$$;
SELECT n, f, b FROM generate_series(1, 300) AS n, unnest('{html,markdown,text}'::text[]) AS f, broken_laws(f, to_jsonb(random_text(n)), '{"keep_quotes": true}') AS b LIMIT 5;
SELECT n, b FROM generate_series(1, 600) AS n, broken_laws('blocks', random_blocks(n), '{"keep_quotes": true}') AS b LIMIT 5;
SELECT n, b FROM generate_series(1, 300) AS n, broken_laws('html', to_jsonb(random_text(n)), '{"keep_quotes": true, "max_length": 60, "link": "https://x.example/"}') AS b LIMIT 5;
-- without quotes no text is emptied
SELECT n, f FROM generate_series(1, 300) AS n, unnest('{html,markdown,text}'::text[]) AS f, LATERAL (SELECT to_jsonb(random_text(n))) AS x (c)
WHERE zcsync._convert_comment(f, c, 'text') = '""' AND zcsync._convert_comment(f, c, 'text', '{"keep_quotes": true}') <> '""' LIMIT 5;
-- bytes of all kinds
SELECT count(zcsync._convert_comment(f, to_jsonb(c), 'html')) FROM generate_series(1, 200) AS n, unnest('{html,markdown,text}'::text[]) AS f,
	LATERAL (SELECT string_agg(chr(1 + abs(hashint4(n * 97 + m)) % CASE WHEN m % 3 = 0 THEN 127 WHEN m % 3 = 1 THEN 55000 ELSE 200 END), '') FROM generate_series(1, 60) AS m) AS x (c);

-- texts that were made to take long, or much memory: each within a generous time
SET statement_timeout = '60s';
SELECT n, length(zcsync._convert_comment(f, c, 'text') #>> '{}') < 2000000 AS ok
FROM (VALUES
	(1, 'html', to_jsonb('<pre>a' || repeat(E'\n', 400000) || 'b</pre>')),
	(2, 'html', to_jsonb(repeat('##--##<br>', 60000))),
	(3, 'html', to_jsonb('<a x=">"' || repeat(' b', 200000) || '>x</a>')),
	(4, 'html', to_jsonb('<_x' || repeat(' b="<b"', 80000) || '>x')),
	(5, 'html', to_jsonb('<img width="99999999999999999999" alt="a picture">'::text)),
	(6, 'blocks', jsonb_build_array(jsonb_build_object('text', repeat(E'\n', 200000), 'attributes', jsonb_build_object('list', repeat('x', 100000))))),
	(7, 'blocks', (SELECT jsonb_agg('{"text": "\n", "attributes": {"code-block": {"code-block": "plain"}}}'::jsonb) FROM generate_series(1, 100000)))) AS v (n, f, c);
RESET statement_timeout;
SELECT zcsync._convert_comment('html', to_jsonb('<a href="https://good.example">' || chr(8295) || 'evil' || chr(8234) || '</a>'), 'text');

DROP TABLE samples, big, shards;
DROP FUNCTION html, plain, show, show_text, broken_laws, random_text, random_blocks;
DROP EXTENSION zcsync;
