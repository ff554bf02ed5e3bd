-- ---------------------------------------------------------------------
-- The text of comments in the form of another vendor.
--
--   form       content
--   html       a string of HTML
--   blocks     a list of blocks: runs of characters with attributes, and people, files,
--              other records and tables
--   markdown   a string of Markdown, only to convert from
--   text       a string of plain text
--
-- HTML that comes out has only p, br, strong, em, code, pre, ul, ol, li, blockquote and
-- links to http, https and mailto; nothing else can be in it, whatever came in.  Options:
--
--   max_length    cut longer texts at the end of a word: characters, without markup
--   link          where the whole text is, which a text that was cut says
--   keep_quotes   true: keep quoted mail and signatures; a text that is nothing else is
--                 kept anyway
--   prefix        a line of plain text to stand above, bold
--   suffix        lines of plain text to stand below, and below them the link
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._convert_comment(p_from text, p_content jsonb, p_to text, p_options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_convert_comment';
COMMENT ON FUNCTION zcsync._convert_comment(text, jsonb, text, jsonb) IS
'the text of a comment in another form (html, blocks, text), safe to show';
