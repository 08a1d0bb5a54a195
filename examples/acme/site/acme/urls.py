from django.contrib import admin
from django.urls import path
from guestbook import views

urlpatterns = [
    path("", views.index, name="index"),
    path("upload", views.upload, name="upload"),
    path("download/<int:mebibytes>", views.download, name="download"),
    path("admin/", admin.site.urls),
]
