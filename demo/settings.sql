-- how the demo prints
\pset footer off
\pset linestyle ascii
\pset format wrapped
\pset columns 130
\pset null ''
SET client_min_messages = warning;
