// Swagger UI on this server's own description; nothing comes from elsewhere.
window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#paths",
  deepLinking: true,
  validatorUrl: null,
  presets: [window.SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
